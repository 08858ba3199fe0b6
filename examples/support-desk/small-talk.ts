/** What the desk says without looking anything up, and how people ask for it. Questions are there to be told apart from it. */
import type { DialogueOptions, Example } from 'troupe/actors'

export const replies: NonNullable<DialogueOptions['replies']> = {
  greet: { en: 'Hello! What would you like to know about your order?', zh: '您好！请问有什么可以帮您？' },
  thank: { en: 'You are welcome.', zh: '不客气。' },
  bye: { en: 'Goodbye!', zh: '再见！' },
  identify: { en: 'I am the support desk of Lantern & Pine: I answer questions from our help pages.', zh: '我是 Lantern & Pine 的客服助手，根据帮助页面回答问题。' },
}

const said: Readonly<Record<string, readonly string[]>> = {
  greet: ['hello', 'hi', 'hi there', 'hey', 'good morning', 'good afternoon', 'good evening', 'hello there', 'greetings', 'hey you', '你好', '您好', '早上好', '晚上好', '嗨'],
  thank: ['thanks', 'thank you', 'thanks a lot', 'thank you very much', 'great, thanks', 'many thanks', 'that helped, thank you', 'perfect, thanks', 'cheers', 'ok thank you', '谢谢', '谢谢你', '非常感谢', '多谢', '好的，谢谢'],
  bye: ['bye', 'goodbye', 'bye bye', 'see you', 'see you later', 'have a nice day', 'that is all, bye', 'talk to you later', 'take care', 'good night', '再见', '拜拜', '回头见', '下次见', '晚安'],
  identify: ['who are you', 'what are you', 'are you a robot', 'are you human', 'what can you do', 'what is your name', 'am I talking to a person', 'who am I talking to', 'what do you do', 'can you help me', '你是谁', '你是机器人吗', '你能做什么', '你叫什么名字', '你是人吗'],
  question: [
    'what does it cost', 'when will it arrive', 'I have a problem with my purchase', 'do you sell umbrellas', 'is there a discount for students', 'how can I reach you by phone', 'my parcel is late', 'which cards do you take', 'is the shop open today',
    'can I change my order', 'the zip of my jacket is torn', 'do you repair shoes', 'I want my money', 'where is your shop', 'how big is the backpack', 'what is the weather today', 'who is the president', 'how tall is the tower', 'can I speak to someone', 'is it waterproof',
    '多少钱', '什么时候到货', '我的包裹在哪里', '可以换货吗', '怎么付款', '有折扣吗', '怎么联系客服', '我想改地址', '这件衣服怎么洗', '商店几点开门',
  ],
}

export const examples: readonly Example[] = Object.entries(said).flatMap(([intent, texts]) => texts.map((text) => ({ text, intent })))
