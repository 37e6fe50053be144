/** Order in which "layers.2" comes before "layers.10"; pages may not look below the reports. */
export { naturalKey, sortNaturally } from '../storage/naturalOrder.js';
