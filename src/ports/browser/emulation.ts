export interface Geolocation {
  latitude: number
  longitude: number
  /** Meters. */
  accuracy: number
}

export type BrowserPermission =
  | 'ACCELEROMETER'
  | 'AMBIENT_LIGHT_SENSOR'
  | 'BACKGROUND_SYNC'
  | 'CAMERA'
  | 'CLIPBOARD_READ'
  | 'CLIPBOARD_WRITE'
  | 'GEOLOCATION'
  | 'GYROSCOPE'
  | 'LOCAL_FONTS'
  | 'LOCAL_NETWORK_ACCESS'
  | 'MAGNETOMETER'
  | 'MICROPHONE'
  | 'MIDI'
  | 'MIDI_SYSEX'
  | 'NOTIFICATIONS'
  | 'PAYMENT_HANDLER'
  | 'SCREEN_WAKE_LOCK'
  | 'STORAGE_ACCESS'

export type ColorScheme = 'LIGHT' | 'DARK' | 'NO_PREFERENCE'
export type ReducedMotion = 'REDUCE' | 'NO_PREFERENCE'

/** The device and user that are emulated for a session's pages. Null: the browser's default. */
export interface Emulation {
  ignoreHttpsErrors: boolean
  geolocation: Geolocation | null
  /** Null: none is granted, and none denied. */
  permissions: BrowserPermission[] | null
  colorScheme: ColorScheme | null
  reducedMotion: ReducedMotion | null
  deviceScaleFactor: number
  isMobile: boolean
  hasTouch: boolean
}

export const NO_EMULATION: Emulation = {
  ignoreHttpsErrors: false,
  geolocation: null,
  permissions: null,
  colorScheme: null,
  reducedMotion: null,
  deviceScaleFactor: 1,
  isMobile: false,
  hasTouch: false,
}

/** Sent only to servers of the origin that request a user name and password. Kept in memory only. */
export interface HttpCredentials {
  username: string
  password: string
  /** Such as https://example.com:8443. */
  origin: string
}
