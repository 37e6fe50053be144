/** Wrong usage of the command line: exit code 2, one line, and where to read more. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /**
   * @param command the command whose help explains it; the general help where absent
   * @param saysWhere true where the message itself says where to read more
   */
  constructor(
    message: string,
    readonly command?: string,
    readonly saysWhere = false,
  ) {
    super(message);
  }
}
