// Where a command is.

/** The path of `name`, also from the folders of root's commands, which a user's PATH lacks on Debian. */
export function commandPath(name: string): string | undefined {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
  return Bun.which(name, { PATH: path }) ?? undefined
}
