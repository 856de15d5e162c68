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

/** What the pages of a session believe of their device and its user. Null: the browser's own. */
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

/** Given to servers of the origin that ask for a user name and password, and to no other. Kept in memory alone. */
export interface HttpCredentials {
  username: string
  password: string
  /** Such as https://example.com:8443. */
  origin: string
}
