// Errors whose stack ends at the line of the test, and not in this package.

/** Returns the stack of the caller of `entry`, which is a function on the present stack. */
export function callSite(entry: Function): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, entry);
  const stack = holder.stack ?? "";
  return stack.slice(stack.indexOf("\n"));
}

/** Gives `error` the stack of `site`, and returns it. */
export function at<E extends Error>(error: E, site: string): E {
  error.stack = `${error.name}: ${error.message}${site}`;
  return error;
}
