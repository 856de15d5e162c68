// Before npm start and npm run dev, whose own commands are written for a shell that Windows has not: says so there.
import { SetupFailed } from './failure.mjs'
import { checkPlatform } from './setup.mjs'

try {
  checkPlatform()
} catch (error) {
  if (!(error instanceof SetupFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
