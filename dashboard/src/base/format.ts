const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})
const dayAndClock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' })
const whole = new Intl.NumberFormat('en-US')

/** 18:04:05.123 */
export const time = (at: string): string => clock.format(new Date(at))

/** 23 Nov 2026, 18:04:05 */
export const dateTime = (at: string): string => dayAndClock.format(new Date(at))

/** 12,345 */
export const count = (value: number): string => whole.format(value)

/** 12 ms, 1.25 s, 3 m 20 s, 2 h 5 m */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
  return span(ms)
}

/** In whole units, for times that keep growing: 12 s, 3 m 20 s, 2 h 5 m, 3 d 4 h */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} m`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`
}

/** 812 B, 4.1 kB, 12 MB */
export function bytes(value: number): string {
  if (value < 1_000) return `${value} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let size = value / 1_000
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1_000
    unit += 1
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`
}

/**
 * The last part of a URL, which distinguishes files, or `root` for its root; text that is not a URL is returned
 * unchanged.
 */
export function fileOf(url: string, root?: string): string {
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) return url
  const last = parsed.pathname.split('/').findLast((part) => part !== '')
  return (last ?? root ?? parsed.host) + parsed.search
}

/** A URL that is safe to open by clicking: never a script of the recorded page. */
export function openable(url: string | null): string | null {
  return url !== null && /^https?:\/\//i.test(url) ? url : null
}
