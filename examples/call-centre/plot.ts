/** The month as a picture: panels one above the other, with the days along the bottom. */
import type { Hour } from './metrics.js'

interface Line {
  readonly name: string
  readonly colour: string
  readonly of: (hour: Hour) => number
  /** Drawn as an area. */
  readonly filled?: boolean
}
interface Panel {
  readonly title: string
  readonly lines: readonly Line[]
}

const PANELS: readonly Panel[] = [
  { title: 'Calls an hour', lines: [{ name: 'all', colour: '#4c78a8', of: ({ calls }) => calls, filled: true }, { name: 'given up', colour: '#e45756', of: ({ abandoned }) => abandoned, filled: true }] },
  { title: 'Agents', lines: [{ name: 'on duty', colour: '#9d9da1', of: ({ agents }) => agents }, { name: 'on the phone, at most', colour: '#54a24b', of: ({ busy }) => busy }] },
  { title: 'Longest queue of the hour', lines: [{ name: 'waiting', colour: '#f58518', of: ({ queued }) => queued, filled: true }] },
  { title: 'Mean wait, seconds', lines: [{ name: 'of those answered', colour: '#b279a2', of: ({ calls, abandoned, waitedMs }) => (calls > abandoned ? waitedMs / 1_000 / (calls - abandoned) : 0) }] },
  { title: 'Mean mood', lines: [{ name: 'of all who have called', colour: '#72b7b2', of: ({ mood }) => mood }] },
]

const WIDTH = 1_200
const LEFT = 60
const TOP = 50
const PANEL = 130
const GAP = 34

export function plot(hours: readonly Hour[], title: string): string {
  const height = TOP + PANELS.length * (PANEL + GAP) + 20
  const x = (hour: number): number => LEFT + (hour / hours.length) * (WIDTH - LEFT - 20)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="17" font-weight="bold">${title}</text>`,
    ...PANELS.flatMap((panel, i) => draw(panel, hours, TOP + i * (PANEL + GAP) + 16, x)),
    ...Array.from({ length: Math.ceil(hours.length / 24) }, (_, day) => `<text x="${x(day * 24 + 12)}" y="${height - 8}" text-anchor="middle">${day + 1}</text>`),
    '</svg>\n',
  ]
  return parts.join('\n')
}

function draw({ title, lines }: Panel, all: readonly Hour[], top: number, x: (hour: number) => number): string[] {
  // An hour in which nothing was measured shows what was last known of the mood.
  let known = all.find(({ mood }) => mood > 0)?.mood ?? 0
  const hours = all.map((hour) => ({ ...hour, mood: (known = hour.mood === 0 ? known : hour.mood) }))
  const most = nice(Math.max(1e-9, ...lines.flatMap(({ of }) => hours.map(of))))
  const y = (value: number): number => top + PANEL - (value / most) * PANEL
  const legend = lines.map(({ name, colour }, i) => `<text x="${LEFT + 230 + i * 190}" y="${top - 6}"><tspan fill="${colour}">■</tspan> ${name}</text>`)
  const weekends = hours.flatMap((_, hour) => (hour % 168 === 120 ? [`<rect x="${x(hour)}" y="${top}" width="${x(Math.min(hour + 48, hours.length)) - x(hour)}" height="${PANEL}" fill="#f4f4f4"/>`] : []))
  const grid = [0, 0.5, 1].map((share) => `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(most * share)}" y2="${y(most * share)}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y(most * share) + 4}" text-anchor="end">${Number((most * share).toPrecision(3))}</text>`)
  const curves = lines.map(({ colour, of, filled }) => {
    const points = hours.map((hour, i) => `${x(i).toFixed(1)},${y(of(hour)).toFixed(1)}`).join(' ')
    if (filled !== true) return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.4"/>`
    return `<polygon points="${x(0)},${y(0)} ${points} ${x(hours.length - 1).toFixed(1)},${y(0)}" fill="${colour}" fill-opacity="0.75"/>`
  })
  return [...weekends, ...grid, ...curves, `<text x="${LEFT}" y="${top - 6}" font-weight="bold">${title}</text>`, ...legend]
}

/** The next round number. */
function nice(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * unit >= value) ?? 10) * unit
}
