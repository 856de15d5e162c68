// Imported first, it makes this process look like a Node that is too old, and none of those that it starts.
Object.defineProperty(process, 'version', { value: 'v20.20.2' })
delete process.env.NODE_OPTIONS
