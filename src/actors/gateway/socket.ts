/** A WebSocket as conversations see it. */
export interface Socket {
  /** Resolves when there is room for more, at once in the common case. Rejects never; what is sent to a closed socket is lost. */
  send(text: string): Promise<void> | undefined
  onText(take: (text: string) => void): void
  onClose(closed: () => void): void
  /** The gateway is about to stop: what has begun may finish. Without, the socket is closed at once. */
  onLeave(leave: () => void): void
  close(code: number, reason: string): void
  readonly open: boolean
}
