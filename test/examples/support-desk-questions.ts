/**
 * Questions to the support desk, each with the page that answers it, or none. Thresholds and weights were set on
 * `calibration` alone; `questions` were written before any of them was asked. The desk's vocabulary was written for
 * `calibration`, but by someone who knew `questions`: so figures are given with it and without.
 */
export interface Question {
  readonly text: string
  /** The page that answers it, `undefined` when none does. */
  readonly page?: string
}
const on = (page: string, ...texts: readonly string[]): Question[] => texts.map((text) => ({ text, page: `pages/${page}.md` }))
const nowhere = (...texts: readonly string[]): Question[] => texts.map((text) => ({ text }))

export const questions = {
  paraphrased: [
    ...on('returns', 'How can I get my money back?', 'Who pays when I send something back?', 'Can I swap a jacket for a bigger one?'),
    ...on('delivery', 'When do you ship?', 'What are the postage fees?', 'Do you post goods to Sweden?', 'What happens when I am out as the driver comes?'),
    ...on('payment', 'Is it possible to settle the bill with PayPal?', 'May I pay bit by bit?', 'When do you take the money from my card?'),
    ...on('warranty', 'My lamp stopped working after a year, what now?', 'The bowl arrived in pieces'),
    ...on('account', 'I cannot remember my login code', 'I have moved to another flat, how do I tell you?', 'How do I get rid of my profile?'),
    ...on('gift-cards', 'How long can I use a voucher?'),
    ...on('opening-hours', 'Are you open at the weekend?'),
    ...on('contact', 'How do I talk to a person?'),
    ...on('sizes', 'Which boot size fits me?'),
    ...on('cancellation', 'I changed my mind, can I call off my purchase?'),
  ],
  plain: [
    ...on('returns', 'How long do I have to return a parcel?'),
    ...on('delivery', 'How much does express delivery cost?', 'Do you ship to Norway?'),
    ...on('payment', 'Can I pay by bank transfer?', 'Where do I find the invoice for my order?'),
    ...on('warranty', 'How long is the warranty?'),
    ...on('account', 'How do I reset my password?'),
    ...on('gift-cards', 'Can a gift card be exchanged for money?'),
    ...on('opening-hours', 'When is the shop open on Saturday?'),
    ...on('zhongwen', '几天内可以退货？'),
  ],
  unanswerable: nowhere(
    'What is the capital of Mars?',
    'Do you sell bicycles?',
    'Do regular customers collect points?',
    'Who founded the company?',
    'How tall is the Eiffel Tower?',
    'Do your backpacks have wheels?',
    'Can I rent a tent?',
    'What is the recipe for apple pie?',
    'Are dogs allowed in the shop?',
    '你们卖自行车吗？',
  ),
} as const

export const calibration: readonly Question[] = [
  ...on('returns', 'I want to send my order back, until when can I do that?', 'Do I have to keep the box?', 'When will I see the reimbursement on my card?'),
  ...on('delivery', 'How many days until my stuff gets here?', 'From what amount is shipping without charge?', 'How can I follow my package?', 'Do you send to Switzerland?'),
  ...on('payment', 'Is cash okay?', 'I need a receipt for my tax office'),
  ...on('warranty', 'The zip broke after three months, do I have to buy a new one?', 'Can I buy a replacement strap?'),
  ...on('account', 'Must I register before I buy?', 'I have a new e-mail', 'I want all my data gone', 'Do I need an account to order?'),
  ...on('gift-cards', 'What values do your vouchers have?', 'How long is a gift card valid?'),
  ...on('opening-hours', 'Where can I leave my car?', 'At what time do you close?'),
  ...on('contact', 'What is your hotline number?', 'I am unhappy with your service'),
  ...on('sizes', 'Are your shoes true to size?', 'What sizes do jackets come in?'),
  ...on('cancellation', 'I ordered by mistake', 'Can I cancel an order after it is shipped?'),
  ...on('care', 'Can I put the jacket in the dryer?', 'How do I clean my rucksack?'),
  ...on('zhongwen', '运费多少？', '怎么退款？'),
  ...nowhere('Who won the world cup?', 'Do you have jobs?', 'What is the weather in Paris?', 'Do you sell bread?', 'How many people work for you?', 'What is the meaning of life?', 'Can I bring my bicycle on the train?', 'Is the jacket made of recycled plastic?'),
  ...nowhere('Do you have a newsletter?', 'How old is the universe?', 'Which laptop should I buy?', 'Can you write a poem?', 'Do you offer gift wrapping?', 'Where is the nearest hospital?', '今天天气怎么样？', '你们有几名员工？'),
]
