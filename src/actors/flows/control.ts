/** The words that steer a conversation rather than fill it, in English and Chinese. */

/**
 * `yes` and `no` say so; `anything` has no preference; `correction` takes back what was said; `cancel`, `repeat`,
 * `human` and `restart` are about the conversation itself; `there` points back at what was spoken of.
 */
export type Control = 'yes' | 'no' | 'anything' | 'cancel' | 'repeat' | 'human' | 'restart' | 'correction' | 'there'

const YES_FIRST = /^(?:oh |ok(?:ay)?[, ]+|well[, ]+|um+[, ]+|hmm[, ]+)?(?:yes|yeah|yep|yup|ya|sure|ok(?:ay)?|alright|all right|right|correct|exactly|absolutely|definitely|certainly|of course|please do|go ahead|fine|perfect|great|good|cool|awesome|excellent|wonderful|lovely|nice|confirmed|agreed|i agree|true|y)\b/iu
const YES_WITHIN =
  /\b(?:sounds? (?:really |very |pretty |quite |like )?(?:good|great|fine|perfect|nice|right|correct|interesting|fun|excellent|awesome|a good|a plan)|(?:that|this|it|which|these|they|everything|all)(?:'s| is| are|'re| all)? ?(?:is )?(?:all |very |quite |just |really |exactly |absolutely )?(?:good|great|fine|perfect|right|correct|ok|okay|it|nice|confirmed|excellent|wonderful|awesome|lovely|what i (?:want|need))|(?:that|this|it)(?:'ll|) (?:works?|will work|work|do\\b|will do|would work|suits|would be (?:good|great|fine|perfect|nice))|works for me|i(?:'ll| will) (?:take|go with|check|have) (?:it|that|this|them)|i like (?:it|that|this)|looks? (?:good|great|fine|correct|right)|go ahead|please (?:do|proceed|go on|confirm)|(?:let's|lets) (?:do|go with|book|take) (?:it|that|this)|i(?:'m| am) (?:good|fine|ok|okay) with (?:it|that|this)|proceed|i(?:'d| would) like that|i(?:'d| would) love (?:that|to|it))\b/iu
const YES_HAN = /^(?:嗯|对(?!不)|是的|是|好的?|可以|行|没错|没问题|确认|当然|要得|正确|同意)/u
const NO_FIRST = /^(?:oh |well[, ]+|um+[, ]+|actually[, ]+|sorry[, ]+|ok(?:ay)?[, ]+)?(?:no|nope|nah|not (?:really|quite|exactly|yet|now|right now)|never|wrong|incorrect|n)\b/iu
const NO_WITHIN = /\b(?:(?:that|this|it)(?:'s| is|) ?(?:not|isn't) (?:right|correct|it|good|what|quite|exactly)|isn't (?:right|correct|it)|not correct|not what i|i (?:do not|don't) (?:want|like|need|think so)|do not (?:book|do|want)|don't (?:book|do) (?:it|that))\b/iu
const NO_HAN = /^(?:不(?!用)|没有|没(?!错|问题)|错|否|别)/u
/** Asking for another takes nothing on offer. */
const ANOTHER = /\b(?:something else|anything else|any (?:other|more)|another|others?|different|alternatives?|what else|else)\b|(?:别的|其他|换一)/iu

const PATTERNS: readonly (readonly [Exclude<Control, 'yes' | 'no'>, RegExp])[] = [
  ['anything', /\b(?:(?:do not|don't|dont|does not|doesn't|doesnt|no) (?:really |particularly |have a |have any |have |a |any |particular )*(?:care|matter|mind|preferences?)|any(?:thing|where|one|time| of (?:them|those|these)| one)?(?: of them)? (?:is|are|will|would|works?|at all)|anything(?: is fine| works)|whatever(?: works| you)?|no preference|either (?:one|is|works|way)|up to you|not (?:picky|particular|fussy)|doesn't matter|i am open|i'm open|i'm flexible|i'm easy|it's all the same|indifferent|don't care)\b|(?:随便|都行|都可以|无所谓|不限|不在乎)/iu],
  ['cancel', /^(?:please |no,? |ok(?:ay)?,? |actually,? |sorry,? |just )*(?:cancel|stop|abort|quit|forget (?:it|about it|that)|never ?mind|leave it|drop it)(?: (?:it|that|this|everything|please|the \w+(?: \w+)?|my \w+))*(?:,? (?:please|thanks|thank you))?[.!]*$|\bi (?:want|would like|'d like) to (?:cancel|stop)\b|^(?:我?(?:想|要))?(?:取消|算了|不用了|不要了|不办了|停止)/iu],
  ['repeat', /\b(?:(?:repeat|say|ask)(?: it| that| the question)?(?: once)? (?:again|more|please)|repeat (?:that|it|please|the question)|come again|pardon(?: me)?\?|(?:what|sorry) (?:did|was) (?:you|that)(?: say| ask)?|what was (?:that|the question)|i did(?: not|n't) (?:get|hear|catch) (?:that|it|you))|^(?:pardon|repeat|what|sorry)\?*$|再说一[遍次]|重复一?[遍下次]?|没听清|你说什么/iu],
  ['human', /\b(?:(?:speak|talk|chat|connect|put|transfer|hand|pass)(?: me| this)?(?: (?:to|with|through to|over to|on to))+ (?:a |an |the |some|your )?(?:real |live |human |actual )?(?:human|person|someone|somebody|agent|people|operator|representative|colleague|staff|assistant|manager|one)|(?:real|live|actual) (?:human|person|agent)|human (?:agent|please|being)|(?:a|an) (?:human|operator|agent) please)\b|^(?:human|agent|operator)[.!]*$|(?:转|找|要)?人工(?:客服|服务)?|真人|转接/iu],
  ['restart', /\b(?:start (?:over|again|from the (?:beginning|start))|begin again|from scratch|reset)\b|重新(?:开始|来)|从头/iu],
  ['correction', /\b(?:i (?:mean|meant|said)|actually|make (?:it|that)|change (?:it|that|the|my)|changed my mind|instead|rather|correct(?:ion)?:|should (?:be|have been)|wait|sorry,|not .+ but|let's (?:make|change))\b|我是说|我的意思|改(?:成|为|到|一下)|换(?:成|为|到)|应该是|不是.+(?:而)?是|更正/iu],
  ['there', /\b(?:there|that (?:place|location|address|city|date|day|time|area|one)|the same|same (?:date|day|time|place|city|number)|then|it)\b|那里|那儿|同一|当天/iu],
]

export function controlsIn(text: string): ReadonlySet<Control> {
  const plain = text.trim().replaceAll('’', "'")
  const found = new Set<Control>(PATTERNS.filter(([, pattern]) => pattern.test(plain)).map(([control]) => control))
  const isNo = NO_FIRST.test(plain) || NO_WITHIN.test(plain) || NO_HAN.test(plain)
  if (isNo && !/^no (?:problem|worries|doubt)/iu.test(plain)) found.add('no')
  else if (YES_FIRST.test(plain) || YES_HAN.test(plain) || YES_WITHIN.test(plain)) if (!ANOTHER.test(plain)) found.add('yes')
  return found
}
