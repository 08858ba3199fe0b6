/** Attempts to overrule what a language model was told: known forms of words, and likeness to known attacks. */
import { cosineOfUnits } from '../cosine.js'
import type { Spanned } from '../nlu/numbers.js'

const RULES = String.raw`(?:instructions?|rules?|guidelines?|directions?|directives?|prompts?|polic(?:y|ies)|restrictions?|programming|filters?|safety checks?|permission checks?|constraints?|everything (?:you|above|before))`
const MACHINE = String.raw`(?:AIs?|A\.I\.|LLMs?|assistants?|language models?|chat ?bots?|(?:automated|AI) agents?)`

/** Forms of words that hardly anybody writes for another reason; every repetition is bounded. */
const FORMS: readonly RegExp[] = [
  // What it was told is to be dropped.
  new RegExp(String.raw`\b(?:ignore|disregard|forget|override|bypass|drop|skip|stop following|not follow|never follow)\b[^.!?\n]{0,30}\b(?:all|any|previous|prior|above|earlier|your|its|every|initial|original|preceding)\b[^.!?\n]{0,25}\b${RULES}`, 'giu'),
  new RegExp(String.raw`\b(?:ignore|disregard|forget|drop)\b[^.!?\n]{0,10}\b(?:(?:the|all|any) (?:of the )?(?:instructions?|rules?|text|prompts?) (?:above|before|given|so far)|everything (?:you|above|before|said|that)|your (?:role|job|purpose|persona))`, 'giu'),
  new RegExp(String.raw`\b(?:replace|supersede|overrule)s?\b[^.!?\n]{0,30}\b(?:your|operator|developer|system)\b`, 'giu'),
  // What it was told is to be shown.
  new RegExp(String.raw`\b(?:show|reveal|print|output|repeat|display|tell|copy|translate|give|say|leak|expose|recite|what (?:is|are|was|were|does|do))\b[^.!?\n]{0,40}\b(?:your|the|its) (?:\w+ ){0,2}(?:system (?:prompt|message|instructions?)|(?:initial|hidden|internal|secret|original|exact|first) (?:prompt|instructions?|text|rules?|configuration))`, 'giu'),
  /\b(?:show|reveal|print|output|repeat|display|copy|translate)\b[^.!?\n]{0,20}\b(?:your (?:system )?(?:prompt|instructions|configuration)|(?:words|text|everything|line) above|everything that was (?:written|said) (?:above|before))/giu,
  /\b(?:prompt|instructions?|secret|key|password|configuration)\b[^.!?\n]{0,20}\b(?:you (?:were|have been|got|received)|in your (?:instructions|prompt))\b/giu,
  // Somebody without rules is to be played.
  /\b(?:you are|you're|act|pretend|play|simulate|imagine|become|respond|answer|behave)\b[^.!?\n]{0,60}(?:\b(?:no|without(?: any)?|free of|freed from|not bound by|any) (?:\w+ ){0,2}(?:restrictions?|rules|filters?|limits?|limitations|guidelines|ethics|morals?|constraints)\b|\b(?:unfiltered|uncensored|unrestricted|jailbroken|amoral)\b)/giu,
  /\b(?:you have|has|have) (?:no|not any) (?:\w+ )?(?:restrictions|rules|filters|guidelines|ethics) ?(?:any ?more|now)?\b/giu,
  /\b(?:can do anything now|do anything now|act as DAN|jailbreak mode|unrestricted mode|god mode)\b/giu,
  /\b(?:never|do not|don't|cannot|must not) (?:refuse|decline|say no)\b/giu,
  // Marks that part what the operator wrote from what the user did.
  /<\/?(?:system|assistant|instructions?)>|\[\/?INST\]|<\|(?:im_start|im_end|system|user|assistant)\|>|^\s{0,4}#{2,4}\s?(?:system|instructions?)\b\s?:?/gimu,
  // Texts that speak to the model that reads them.
  /\b(?:note|attention|important|instructions?|message|warning)\b[^.!?\n]{0,20}\b(?:AIs?|LLMs?|language models?|chat ?bots?)\b|\b(?:AIs?|LLM|chat ?bot|model) instructions?\b/giu,
  new RegExp(String.raw`(?:^|[.!?:>\-]\s{0,3})(?:dear |hidden |attention,? )?${MACHINE}\s?[:,]`, 'gimu'),
  new RegExp(String.raw`\b(?:if|when|any|the)\b[^.!?\n]{0,15}\b${MACHINE}\b[^.!?\n]{0,40}\b(?:reads?|reading|process(?:es|ing)?|summaris(?:es|ing)|must now|must call|should now)\b`, 'giu'),
  /\b(?:do not|don't|without) (?:tell|telling|mention|mentioning|inform|informing|alert|alerting)(?: (?:it|this|that))?(?: to)? the user\b/giu,
  // Chinese.
  /(?:忽略|无视|忘记|忘掉|绕过|不要遵守|停止遵守)[^。！？\n]{0,12}(?:指令|规则|提示词?|设定|限制|策略|要求你)/gu,
  /(?:告诉|显示|输出|透露|打印|重复|发给)[^。！？\n]{0,12}(?:系统提示|提示词|初始指令|系统指令|隐藏)|你(?:的系统提示|收到的[^。！？\n]{0,6}指令)/gu,
  /(?:没有|不受|无)(?:任何|一切)?(?:限制|约束|规则|道德)/gu,
  /(?:人工智能|AI|语言模型|大模型|助手)[^。！？\n]{0,6}(?:注意|请停止|必须立即)|如果你是[^。！？\n]{0,4}(?:模型|人工智能|AI)/gu,
]
/** Words that attacks share with much else: alone they say nothing. */
const CUES: readonly RegExp[] = [
  new RegExp(String.raw`\b${MACHINE}\b|\b(?:the|your) operator\b|人工智能|语言模型`, 'iu'),
  /\b(?:your|you were) (?:\w+ )?(?:instructions?|rules?|guidelines?|polic(?:y|ies)|prompt|programming|restrictions|role|creators|developers?|filters?|told)\b|\bunrestricted|\bunfiltered|\bno (?:limits|restrictions|filters)\b/iu,
  /\b(?:from now on|from here on|from this moment|new instructions?|new task|override|you are now|you will now|must now|obey)\b|从现在开始/iu,
]
/** What a cue adds to the likeness, and how far towards attacks a text must lie. Fitted on `calibration` of bench/data/guard.jsonl. */
const CUE = 0.1
const LIKENESS_MIN = 0.13
/** The nearest of each kind that count. */
const NEAREST = 3
/** From here a text is taken for an attack. */
export const INJECTION_MIN = 0.5

/** Where known forms of words stand. */
export const injectionForms = (text: string): Spanned[] => FORMS.flatMap((form) => Array.from(text.matchAll(form), (match) => ({ start: match.index, end: match.index + match[0].length })))

/** Vectors of known attacks, and of ordinary texts that sound alike. */
export interface Known {
  readonly attacks: readonly Float32Array[]
  readonly ordinary: readonly Float32Array[]
}

/** How much a sentence is like an attack, from 0 to 1. */
export function injectionScore(sentence: string, vector: Float32Array, { attacks, ordinary }: Known): number {
  const cues = CUES.filter((cue) => cue.test(sentence)).length
  const likeness = nearest(vector, attacks) - nearest(vector, ordinary) + cues * CUE
  return Math.min(1, Math.max(0, INJECTION_MIN + likeness - LIKENESS_MIN))
}

/** The mean cosine of the nearest few; vectors have length 1. */
function nearest(vector: Float32Array, others: readonly Float32Array[]): number {
  const best = others.map((other) => cosineOfUnits(vector, other)).sort((a, b) => b - a).slice(0, NEAREST)
  return best.reduce((sum, each) => sum + each, 0) / best.length
}
