/** Which paths anybody may GET, told before a route is looked for: those of open routes, unless a nearer route is not. */
import type { Route } from './face.js'

export function openPaths(routes: readonly Route[]): (path: string) => boolean {
  const gets = routes.filter(({ method }) => method === 'GET')
  const whole = new Map(gets.map(({ path, open = false }) => [path, open]))
  const beginnings = gets
    .filter(({ path }) => path.endsWith('*'))
    .map(({ path, open = false }) => ({ beginning: path.slice(0, -1), open }))
    .toSorted((a, b) => b.beginning.length - a.beginning.length)
  const isBelowOpen = beginnings.some(({ open }) => open)
  // Written in escapes, a path could lead to a nearer route than it seems.
  return (path) => whole.get(path) ?? (isBelowOpen && !path.includes('%') && beginnings.find(({ beginning }) => path.startsWith(beginning))?.open === true)
}
