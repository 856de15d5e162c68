/** Paths of the server's routes. Links in the schema and the server's router must agree on them. */

export const API_PATH = '/graphql'
export const ARTIFACTS_PATH = '/artifacts/'
export const BODIES_PATH = '/bodies/'
export const UPLOADS_PATH = '/uploads/'
export const EXPORTS_PATH = '/exports/'
export const TRACE_VIEWER_PATH = '/trace/'
/** Connections of CDP clients. */
export const CDP_PATH = '/cdp/'
/** A page with deliberate faults, to watch and to control. */
export const DEMO_PATH = '/demo/'
export const DEMO_ECHO_PATH = '/demo/echo'
/** Other machines of the installation: a challenge, and connections for calls. */
export const MACHINE_CHALLENGES_PATH = '/machines/challenge'
export const MACHINE_CALLS_PATH = '/machines/calls'
