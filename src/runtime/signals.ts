/** Stops on SIGINT and SIGTERM, once; the same signal again ends the process at once, as it would have. Returns what takes the hooks away. */
export function stopOnSignals(stop: () => Promise<void>): () => void {
  const unhook = (): void => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
  const onSignal = (): void => {
    unhook()
    void stop()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return unhook
}
