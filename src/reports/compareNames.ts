/** Order in which "layers.2" comes before "layers.10". */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare;
