/** JSON as it is stored and shown; strings from pages and clients are well-formed and contain no U+0000. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
