import { TroupeError } from '../ground/errors.js'
import { ADDRESS_LENGTH_MAX } from './limits.js'

/** Where an actor is: `kind` or `kind/key`; a child adds `>name` to its parent's address. `''` is outside. */
export type Address = string

/** The address of whoever is no actor: the program that holds a ref. */
export const OUTSIDE: Address = ''

const CHILD = '>'

/** The part before the key, which names a keyed kind. */
export function kindOf(address: Address): string {
  const slash = address.indexOf('/')
  return slash === -1 ? address : address.slice(0, slash)
}

/** The part after the first `/`, or `undefined` where there is none. */
export function keyOf(address: Address): string | undefined {
  const slash = address.indexOf('/')
  return slash === -1 ? undefined : address.slice(slash + 1)
}

/** Whether the address names a child, which nothing but its parent can bring to life. */
export const isChild = (address: Address): boolean => address.includes(CHILD)

/** The actor that is nobody's child, of whose family an address is. */
export const rootOf = (address: Address): Address => address.split(CHILD, 1)[0] as Address

/** The address of a child's parent. */
export const parentOf = (address: Address): Address => address.slice(0, address.lastIndexOf(CHILD))

/** An address without its keys: the same for all actors of one definition. */
export const nameOf = (address: Address): string => address.replaceAll(/\/[^>]*/g, '')

/** The addresses of an actor's children, theirs included, in the order of a store: from the first to before the second. */
export const childrenOf = (address: Address): readonly [Address, Address] => [`${address}${CHILD}`, `${address}${String.fromCharCode(CHILD.charCodeAt(0) + 1)}`]

export const childAddress = (parent: Address, name: string): Address => `${parent}${CHILD}${name}`

/** Returns the address when it is well formed; `InvalidDefinition` says what is wrong otherwise. */
export function checkAddress(address: Address): Address {
  if (/^[\w.-]+(?:\/[^>\p{Cc}]+)?$/u.test(address) && address.length <= ADDRESS_LENGTH_MAX) return address
  throw new TroupeError(
    'InvalidDefinition',
    `${JSON.stringify(address.slice(0, 80))} is no address`,
    "write `kind` or `kind/key`: a kind of letters, digits, '_', '-' and '.', a key without '>' and control characters, 512 characters at most",
  )
}

/** Returns the name when a child may have it; `InvalidDefinition` otherwise. */
export function checkChildName(name: string): string {
  if (/^[^/>\p{Cc}]+$/u.test(name)) return name
  throw new TroupeError('InvalidDefinition', `${JSON.stringify(name)} is no name for a child`, "leave out '/', '>' and control characters")
}
