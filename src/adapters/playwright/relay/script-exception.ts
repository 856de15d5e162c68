export const CALL_FUNCTION = 'Runtime.callFunctionOn'

/**
 * The result of a script that threw. Playwright shows its message, where it takes an error of the command itself for a page
 * that navigates.
 */
export function exceptionOf(message: string): object {
  const exception = { type: 'object', subtype: 'error', className: 'Error', description: `Error: ${message}` }
  const exceptionDetails = { exceptionId: 0, text: 'Uncaught', lineNumber: 0, columnNumber: 0, exception }
  return { result: exception, exceptionDetails }
}
