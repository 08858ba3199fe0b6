/** What is said: in each language, with values filled in. */

/** One text, or one for each language; `en` stands in for those without. */
export type Said = string | (Readonly<Record<string, string>> & { readonly en: string })

/** The text in a language, its `{names}` replaced by values; a name without a value goes. */
export function worded(said: Said, language: string, values: Readonly<Record<string, unknown>> = {}): string {
  const text = typeof said === 'string' ? said : (said[language] ?? said.en)
  return text.replaceAll(/\{([\w-]+)\}/gu, (_, name: string) => (Object.hasOwn(values, name) ? shown(values[name]) : '')).trim()
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value) ?? '')

/** What a conversation says of itself, each to be replaced by a text of the declaration. */
export const TEXTS = {
  notUnderstood: { en: 'Sorry, I did not understand that.', zh: '抱歉，我没听懂。' },
  cancelled: { en: 'All right, I have dropped that.', zh: '好的，已取消。' },
  nothingToCancel: { en: 'There is nothing to cancel.', zh: '目前没有可以取消的。' },
  nothingToRepeat: { en: 'I have not said anything yet.', zh: '我还没有说什么。' },
  corrected: { en: 'All right, {slot}: {value}.', zh: '好的，{slot}改为{value}。' },
  invalid: { en: '{value} does not work: {problem}.', zh: '“{value}”不行：{problem}。' },
  whichFlow: { en: 'Would you like to {options}?', zh: '您想{options}？' },
  whichValue: { en: 'Did you mean {options}?', zh: '您是指{options}？' },
  whichSlot: { en: 'Is {value} the {options}?', zh: '{value}是{options}？' },
  change: { en: 'What should I change?', zh: '请问要改哪一项？' },
  back: { en: 'Back to where we were: {title}.', zh: '我们继续：{title}。' },
  failed: { en: 'Sorry, that did not work.', zh: '抱歉，没有办成。' },
  reminder: { en: 'Are you still there?', zh: '您还在吗？' },
  closed: { en: 'I am closing this conversation for now. Write whenever you like.', zh: '对话先到这里，需要时请再联系我。' },
  handedOver: { en: 'I am passing you on to a colleague.', zh: '正在为您转接人工客服。' },
  handedBack: { en: 'I am back. How can I help?', zh: '我回来了，还有什么可以帮您？' },
  or: { en: ' or ', zh: '还是' },
} satisfies Readonly<Record<string, Said>>
export type Texts = { readonly [Name in keyof typeof TEXTS]: Said }
