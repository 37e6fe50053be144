/** What a compute worker does for calibrated methods, over memory that tasks name by addresses. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface CalibrationApi {}
