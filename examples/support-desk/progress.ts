/** One line on stderr while models load. */
import type { Progress } from 'troupe/models'

export function showProgress(): { note(progress: Progress): void; ready(): void } {
  const isTerminal = process.stderr.isTTY
  const loading = new Set<string>()
  const line = (text: string): void => void process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`)
  return {
    note(progress) {
      if (progress.kind === 'loaded' && isTerminal) line('')
      if (progress.kind !== 'loading' || loading.has(progress.model)) return
      loading.add(progress.model)
      line(`loading ${progress.model} (${(progress.bytes / 1e6).toFixed(0)} MB) …`)
    },
    ready() {
      if (isTerminal) line('')
    },
  }
}
