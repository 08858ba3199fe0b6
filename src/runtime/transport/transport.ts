/** A way for bytes between the nodes of one troupe. It promises little: what is sent may come late, twice, in another order, or never. */
export interface Transport {
  /** Sends bytes to a node. Never throws and never waits: what cannot be sent is lost. */
  send(to: string, bytes: Uint8Array): void
  /** Calls `receive` for everything that comes from now on. Called once. */
  open(receive: (from: string, bytes: Uint8Array) => void): void
  /** Nothing is received after this resolves. */
  close(): Promise<void>
}
