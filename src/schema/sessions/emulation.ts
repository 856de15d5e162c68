import { BROWSER_PERMISSION, COLOR_SCHEME, REDUCED_MOTION } from '../../domain/sessions/input/emulation-input.ts'
import { NO_EMULATION, type Emulation, type Geolocation } from '../../ports/browser/emulation.ts'
import { builder } from '../base/builder.ts'
import { enumTypeOf } from '../base/input-type.ts'
import { NEEDS, readOrGiven } from '../base/needs.ts'
import { Session } from './session.ts'

const BrowserPermissionEnum = enumTypeOf(BROWSER_PERMISSION)
const ColorSchemeEnum = enumTypeOf(COLOR_SCHEME)
const ReducedMotionEnum = enumTypeOf(REDUCED_MOTION)

const GeolocationType = builder.objectRef<Geolocation>('Geolocation').implement({
  authScopes: NEEDS.asItsField,
  description: 'A position on the globe.',
  fields: (t) => ({
    latitude: t.exposeFloat('latitude', { description: 'Degrees north of the equator.' }),
    longitude: t.exposeFloat('longitude', { description: 'Degrees east of Greenwich.' }),
    accuracy: t.exposeFloat('accuracy', { description: 'Radius of uncertainty in meters.' }),
  }),
})

const of =
  <K extends keyof Emulation>(member: K) =>
  ({ emulation }: { emulation: Emulation | null }): Emulation[K] =>
    (emulation ?? NO_EMULATION)[member]

builder.objectFields(Session, (t) => ({
  ignoreHttpsErrors: t.boolean({
    authScopes: readOrGiven('ignoreHttpsErrors'),
    description: 'Whether invalid certificates are accepted.',
    resolve: of('ignoreHttpsErrors'),
  }),
  geolocation: t.field({
    authScopes: readOrGiven('geolocation'),
    type: GeolocationType,
    nullable: true,
    description: 'Position reported to pages with the permission GEOLOCATION. Null: none.',
    resolve: of('geolocation'),
  }),
  permissions: t.field({
    authScopes: readOrGiven('permissions'),
    type: [BrowserPermissionEnum],
    nullable: true,
    description: 'Permissions granted to every origin; all others are denied. Null: the defaults of the browser.',
    resolve: of('permissions'),
  }),
  colorScheme: t.field({
    authScopes: readOrGiven('colorScheme'),
    type: ColorSchemeEnum,
    nullable: true,
    description: 'Requested color scheme. Null: LIGHT.',
    resolve: of('colorScheme'),
  }),
  reducedMotion: t.field({
    authScopes: readOrGiven('reducedMotion'),
    type: ReducedMotionEnum,
    nullable: true,
    description: 'Requested preference for reduced motion. Null: NO_PREFERENCE.',
    resolve: of('reducedMotion'),
  }),
  deviceScaleFactor: t.float({
    authScopes: readOrGiven('deviceScaleFactor'),
    description: 'Device pixels per CSS pixel.',
    resolve: of('deviceScaleFactor'),
  }),
  isMobile: t.boolean({
    authScopes: readOrGiven('isMobile'),
    description: 'Whether pages use the mobile layout.',
    resolve: of('isMobile'),
  }),
  hasTouch: t.boolean({
    authScopes: readOrGiven('hasTouch'),
    description: 'Whether pages see a touch screen.',
    resolve: of('hasTouch'),
  }),
  offline: t.exposeBoolean('offline', {
    authScopes: readOrGiven('offline'),
    description: 'Whether its pages and workers are offline.',
  }),
}))
