/** How a generator says that the passages do not answer: the embedded one was trained to, others are told to. */
export const REFUSALS = ['I could not find that in the sources.', 'The sources do not say.', '资料中没有提到。'] as const

const trimmed = (text: string): string => text.replace(/(\s*\[\d+\])+\s*$/, '').trim()

export const isRefusal = (text: string): boolean => REFUSALS.some((refusal) => refusal === trimmed(text))

/** Whether more text could still make it a refusal. */
export const mayBecomeRefusal = (text: string): boolean => REFUSALS.some((refusal) => refusal.startsWith(text.trimStart()) || text.trimStart().startsWith(refusal))
