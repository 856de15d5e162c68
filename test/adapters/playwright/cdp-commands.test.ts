import { expectTypeOf, test } from 'vitest'
import type { CdpArguments, CdpMethod, CdpResult } from '../../../src/adapters/playwright/cdp/protocol/cdp-commands.ts'
import type { CdpEvent } from '../../../src/adapters/playwright/cdp/protocol/cdp-events.ts'

// Checked by the compiler: a misspelled command must not reach a browser.

test('methods and events are those of the protocol', () => {
  expectTypeOf<'Page.navigate'>().toExtend<CdpMethod>()
  expectTypeOf<'Page.navigat'>().not.toExtend<CdpMethod>()
  expectTypeOf<'Page.frameNavigated'>().toExtend<CdpEvent>()
  expectTypeOf<'Page.frameNavigate'>().not.toExtend<CdpEvent>()
})

test('parameters are those of the command, and may be left out only where all of them may', () => {
  expectTypeOf<[{ url: string }, string]>().toExtend<CdpArguments<'Page.navigate'>>()
  expectTypeOf<[{ address: string }]>().not.toExtend<CdpArguments<'Page.navigate'>>()
  expectTypeOf<[{ url: number }]>().not.toExtend<CdpArguments<'Page.navigate'>>()
  expectTypeOf<[]>().not.toExtend<CdpArguments<'Page.navigate'>>()
  expectTypeOf<[]>().toExtend<CdpArguments<'Target.getTargets'>>()
  expectTypeOf<[]>().toExtend<CdpArguments<'Browser.close'>>()
  expectTypeOf<[{ force: boolean }]>().not.toExtend<CdpArguments<'Browser.close'>>()
})

test('results are those of the command', () => {
  expectTypeOf<CdpResult<'Target.attachToTarget'>>().toEqualTypeOf<{ sessionId: string }>()
  expectTypeOf<CdpResult<'Browser.close'>>().toEqualTypeOf<object>()
})
