import { pino, type Logger } from 'pino'
import type { Config } from './config.ts'

export type { Logger }

/** Lines of JSON on standard error, so that standard output stays for what people and scripts read. */
export function createLogger(level: Config['logLevel']): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2))
}
