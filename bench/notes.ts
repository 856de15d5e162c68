/** Why a number falls short, or what else must be known to read it; by the finding's id. Kept by hand, printed with every run. */
export const NOTES: Record<string, string> = {}
