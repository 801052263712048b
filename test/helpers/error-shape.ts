/** Everything about an error of a lookup but where it was made and which name it is about: for comparing injected ones with real ones. */
export function errorShape(error: NodeJS.ErrnoException & { hostname?: string }): unknown {
  const { message, hostname = "" } = error;
  return {
    prototype: Object.getPrototypeOf(error) as unknown,
    name: error.name,
    fields: Object.entries({ ...error, hostname: undefined }),
    own: Object.getOwnPropertyNames(error),
    message: message.replace(hostname, "NAME"),
  };
}
