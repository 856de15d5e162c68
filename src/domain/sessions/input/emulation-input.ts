import { z } from 'zod'
import { MAX_PICTURE_PIXELS, picturePixels } from '../../../contract/input/picture-pixels.ts'
import { defineInput, field, orNull, ruled, type EnumDefinition } from '../../../contract/input/input-field.ts'
import {
  NO_EMULATION,
  type BrowserPermission,
  type ColorScheme,
  type Emulation,
  type Geolocation,
  type HttpCredentials,
  type ReducedMotion,
} from '../../../ports/browser/emulation.ts'
import type { Viewport } from '../../../ports/base/viewport.ts'
import type { InputIssue } from '../../kernel/errors.ts'
import { readInitialPrompt } from './initial-prompt.ts'

const LIMITS = { credentialBytes: 1000, originLength: 300, accuracy: 1_000_000, scale: { min: 0.1, max: 10 } } as const

interface HttpCredentialsInput {
  username: string
  password: string
  origin?: string | null
}

/** Input members for the emulated device and its user. */
export interface EmulationInput {
  ignoreHttpsErrors?: boolean | null
  httpCredentials?: HttpCredentialsInput | null
  geolocation?: (Omit<Geolocation, 'accuracy'> & { accuracy?: number | null }) | null
  permissions?: readonly BrowserPermission[] | null
  colorScheme?: ColorScheme | null
  reducedMotion?: ReducedMotion | null
  deviceScaleFactor?: number | null
  isMobile?: boolean | null
  hasTouch?: boolean | null
  offline?: boolean | null
}

/** EmulationInput after validation. */
export interface EmulationOptions extends Emulation {
  /** The origin is null for that of initialPrompt. */
  httpCredentials: (Omit<HttpCredentials, 'origin'> & { origin: string | null }) | null
  offline: boolean
}

export const COLOR_SCHEME: EnumDefinition<ColorScheme> = {
  enumName: 'ColorScheme',
  description: 'Value of the media feature prefers-color-scheme.',
  values: { LIGHT: 'Light colors.', DARK: 'Dark colors.', NO_PREFERENCE: 'Neither: Chromium matches "light" then.' },
}

export const REDUCED_MOTION: EnumDefinition<ReducedMotion> = {
  enumName: 'ReducedMotion',
  description: 'Value of the media feature prefers-reduced-motion.',
  values: { REDUCE: 'Less motion is preferred.', NO_PREFERENCE: 'No preference.' },
}

export const BROWSER_PERMISSION: EnumDefinition<BrowserPermission> = {
  enumName: 'BrowserPermission',
  description: 'A permission that pages ask their user for.',
  values: {
    ACCELEROMETER: 'Motion sensor. Granted together with the other sensors.',
    AMBIENT_LIGHT_SENSOR: 'Light sensor. Granted together with the other sensors.',
    BACKGROUND_SYNC: 'Background synchronization of service workers.',
    CAMERA: 'Video of a camera.',
    CLIPBOARD_READ: 'Reading the clipboard, and writing to it.',
    CLIPBOARD_WRITE: 'Writing sanitized content to the clipboard.',
    GEOLOCATION: 'Position: see geolocation.',
    GYROSCOPE: 'Rotation sensor. Granted together with the other sensors.',
    LOCAL_FONTS: 'Fonts that are installed on the machine of the browser.',
    LOCAL_NETWORK_ACCESS:
      'Requests of public pages to private addresses and to the machine of the browser, as far as egress allows them.',
    MAGNETOMETER: 'Magnetic field sensor. Granted together with the other sensors.',
    MICROPHONE: 'Sound of a microphone.',
    MIDI: 'MIDI devices.',
    MIDI_SYSEX: 'MIDI devices, system exclusive messages included.',
    NOTIFICATIONS: 'Notifications.',
    PAYMENT_HANDLER: 'Handling payments.',
    SCREEN_WAKE_LOCK: 'Keeping the screen on.',
    STORAGE_ACCESS: 'Cookies of frames of other sites.',
  },
}

const GEOLOCATION_INPUT = defineInput('GeolocationInput', 'A position on the globe.', {
  latitude: field.requiredNumber('Degrees north of the equator.', -90, 90),
  longitude: field.requiredNumber('Degrees east of Greenwich.', -180, 180),
  accuracy: field.numberOr('Radius of uncertainty in meters.', 0, 0, LIMITS.accuracy),
})

const CREDENTIAL_RULE = `at most ${LIMITS.credentialBytes} bytes as UTF-8, without control characters`
const ORIGIN_RULE = 'http:// or https://, a host and an optional port, such as "https://example.com:8443"'

const HTTP_CREDENTIALS_INPUT = defineInput(
  'HttpCredentialsInput',
  'User name and password for HTTP authentication (Basic, Digest). They are kept in memory until the session ends, are not stored, not part of what an idempotencyKey compares, and cannot be read back.',
  {
    username: field.of('String', z.string(), `User name: not empty, without a colon, ${CREDENTIAL_RULE}.`, {
      required: true,
    }),
    password: field.of('String', z.string(), `Password: ${CREDENTIAL_RULE}.`, { required: true }),
    origin: field.of(
      'String',
      orNull(z.string()),
      `The only origin that receives them: ${ORIGIN_RULE}. Default: that of initialPrompt, which must then be a URL.`,
    ),
  },
)

const refuse = (context: z.RefinementCtx, code: string, message: string, path: string[]) => {
  context.addIssue({ code: 'custom', message, path, params: { code } })
}

// No message quotes the input: it may contain a password.
const httpCredentials = HTTP_CREDENTIALS_INPUT.rule.transform(({ username, password, origin }, context) => {
  for (const [name, value] of Object.entries({ username, password })) {
    if (/\p{Cc}/u.test(value) || !value.isWellFormed()) {
      refuse(context, 'INVALID_FORMAT', 'must not hold control characters or lone surrogates', [name])
    } else if (Buffer.byteLength(value) > LIMITS.credentialBytes) {
      refuse(context, 'TOO_LONG', `must have at most ${LIMITS.credentialBytes} bytes`, [name])
    }
  }
  if (username === '') refuse(context, 'TOO_SHORT', 'must not be empty', ['username'])
  if (username.includes(':')) refuse(context, 'INVALID_FORMAT', 'must not have a colon', ['username'])
  const normal = origin === null ? null : normalOrigin(origin)
  if (origin !== null && normal === null) refuse(context, 'INVALID_FORMAT', `must be ${ORIGIN_RULE}`, ['origin'])
  return { username, password, origin: normal }
})

/** Null: not exactly an origin. */
function normalOrigin(text: string): string | null {
  const url = text.length > LIMITS.originLength ? null : URL.parse(text)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null
  return url.href === `${url.origin}/` && !/[@?#]/.test(text) ? url.origin : null
}

const permissions = ruled(
  z.array(z.enum(Object.keys(BROWSER_PERMISSION.values) as [BrowserPermission, ...BrowserPermission[]])),
  (value) =>
    new Set(value).size === value.length ? null : { code: 'CONFLICT', message: 'must name each permission once' },
)

/** For the input of startSession. */
export const EMULATION_FIELDS = {
  ignoreHttpsErrors: field.flagOr(
    'True: invalid and self-signed certificates are accepted, for pages, frames, popups, workers and WebSockets, also of attached clients in the default context. Never for the proxy of the session.',
    false,
  ),
  httpCredentials: field.of(
    HTTP_CREDENTIALS_INPUT,
    orNull(httpCredentials),
    'Credentials for servers that ask for HTTP authentication. Without them, or with wrong ones, the page is the 401 response. The HTTP cache is off in such a session. Attached clients see the Authorization header.',
  ),
  geolocation: field.object(
    'Position of the device, for pages with the permission GEOLOCATION. Default: none.',
    GEOLOCATION_INPUT,
  ),
  permissions: field.of(
    BROWSER_PERMISSION,
    orNull(permissions),
    'Permissions granted to every origin. All others are denied; [] denies all. Default: the defaults of the browser, without prompts.',
    { list: true },
  ),
  colorScheme: field.choice('Color scheme that pages see. Default: LIGHT.', COLOR_SCHEME),
  reducedMotion: field.choice('Reduced-motion preference that pages see. Default: NO_PREFERENCE.', REDUCED_MOTION),
  deviceScaleFactor: field.numberOr(
    'Device pixels per CSS pixel (window.devicePixelRatio). Pictures have as many more pixels; one of the whole viewport must have at most 2^29.',
    1,
    LIMITS.scale.min,
    LIMITS.scale.max,
  ),
  isMobile: field.flagOr(
    'True: pages are laid out as on a phone, by their viewport meta tag. viewport must be given with it.',
    false,
  ),
  hasTouch: field.flagOr('True: the screen is a touch screen to pages.', false),
  offline: field.flagOr(
    'True: the session begins without a network, so the page of initialPrompt cannot be opened. updateSession changes it.',
    false,
  ),
} as const

/** Rules that the members break together; rules of form are checked elsewhere. */
export function emulationIssues(
  input: EmulationInput & { viewport?: Viewport | null; initialPrompt?: string | null },
  defaultViewport: Viewport,
): InputIssue[] {
  const issues: InputIssue[] = []
  if (input.isMobile === true && input.viewport == null) {
    issues.push({ path: ['input', 'viewport'], code: 'REQUIRED', message: 'must be given with isMobile' })
  }
  const scale = input.deviceScaleFactor
  const { min, max } = LIMITS.scale
  if (typeof scale === 'number' && scale >= min && scale <= max) {
    const message = refusePictures(input.viewport ?? defaultViewport, scale)
    if (message !== null) issues.push({ path: ['input', 'deviceScaleFactor'], code: 'OUT_OF_RANGE', message })
  }
  const credentials = input.httpCredentials
  const prompt = typeof input.initialPrompt === 'string' ? originOfPrompt(input.initialPrompt) : null
  if (credentials && credentials.origin == null && prompt === null) {
    const message = 'must be given where initialPrompt is no URL'
    issues.push({ path: ['input', 'httpCredentials', 'origin'], code: 'REQUIRED', message })
  }
  return issues
}

/** Why screenshots of this size would be too large, for people; null: they are not. */
export function refusePictures(viewport: Viewport, deviceScaleFactor: number): string | null {
  if (!(picturePixels(viewport, deviceScaleFactor) > MAX_PICTURE_PIXELS)) return null
  const most = Math.floor(Math.sqrt(MAX_PICTURE_PIXELS / (viewport.width * viewport.height)) * 100) / 100
  const size = `${viewport.width} × ${viewport.height}`
  return `must not make pictures of more than 2^29 pixels: with a viewport of ${size}, deviceScaleFactor may be at most ${most}`
}

/** Null: not an origin, or one that may never be opened. */
function originOfPrompt(text: string): string | null {
  const prompt = readInitialPrompt(text)
  const url = prompt.kind === 'URL' ? URL.parse(prompt.url) : null
  return url && /^https?:$/.test(url.protocol) ? url.origin : null
}

/** The options that the browser needs and that are stored with the session. */
export function emulationOf(options: EmulationOptions): Emulation {
  const { ignoreHttpsErrors, geolocation, permissions: granted, colorScheme, reducedMotion } = options
  const { deviceScaleFactor, isMobile, hasTouch } = options
  const screen = { deviceScaleFactor, isMobile, hasTouch }
  return { ignoreHttpsErrors, geolocation, permissions: granted, colorScheme, reducedMotion, ...screen }
}

/** The credentials, and the origin that receives them. */
export function httpCredentialsOf(
  options: EmulationOptions & { initialPrompt: string | null },
): HttpCredentials | null {
  const { httpCredentials: given, initialPrompt } = options
  const origin = given && (given.origin ?? (initialPrompt === null ? null : originOfPrompt(initialPrompt)))
  return given && origin !== null ? { ...given, origin } : null
}

/**
 * The options without defaults and credentials, for the hash that identifies a repeated start: it is stored, and a
 * password could be guessed from it.
 */
export function withoutUngiven<O extends EmulationOptions>(options: O): object {
  const { httpCredentials: credentials, ...others } = options
  const defaults: Record<string, unknown> = { ...NO_EMULATION, offline: false }
  const given = Object.entries(others).filter(([name, value]) => !(name in defaults) || value !== defaults[name])
  return { ...Object.fromEntries(given), ...(credentials ? { httpCredentials: { origin: credentials.origin } } : {}) }
}
