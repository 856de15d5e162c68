// Imported first, it makes this process, but not its children, look like a Node that is too old.
Object.defineProperty(process, 'version', { value: 'v20.20.2' })
delete process.env.NODE_OPTIONS
