/**
 * Numbers that people write in one form and WhatsApp in another: mobile numbers of Brazil with and without their ninth digit, of Mexico with and
 * without the 1, of Argentina with and without the 9 behind the country's code.
 */
const FORMS: readonly [form: RegExp, other: string][] = [
  [/^55(?<area>\d{2})9(?<rest>\d{8})$/, '55$<area>$<rest>'],
  [/^55(?<area>\d{2})(?<rest>[6-9]\d{7})$/, '55$<area>9$<rest>'],
  [/^521(?<rest>\d{10})$/, '52$<rest>'],
  [/^52(?<rest>\d{10})$/, '521$<rest>'],
  [/^549(?<rest>\d{10})$/, '54$<rest>'],
  [/^54(?<rest>\d{10})$/, '549$<rest>'],
];

/** The number first. @param phone digits, with the country's code */
export function phoneVariants(phone: string): string[] {
  const others = FORMS.filter(([form]) => form.test(phone)).map(([form, other]) =>
    phone.replace(form, other),
  );
  return [phone, ...others];
}
