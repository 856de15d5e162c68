/** JSON as it is stored and shown; page-made and client-made strings in it are well-formed and free of U+0000. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
