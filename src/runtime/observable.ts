/** The door to RxJS. */
import { Observable } from 'rxjs'

export { Observable }

/** An Observable that iterates for each subscriber, and leaves the iteration when the subscriber does. */
export function observable<T>(open: () => AsyncIterableIterator<T>): Observable<T> {
  return new Observable((subscriber) => {
    const iterator = open()
    const read = async (): Promise<void> => {
      for await (const chunk of iterator) {
        if (subscriber.closed) return
        subscriber.next(chunk)
      }
      subscriber.complete()
    }
    read().catch((error: unknown) => subscriber.error(error))
    return () => void iterator.return?.().catch(() => {})
  })
}
