/** No tensor of a real model has a longer name: what names say is not looked for in longer ones. */
export const MAX_NAME_CHARACTERS = 2000;
