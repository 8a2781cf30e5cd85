// A hook of Node's: what a module imports by a path has its query, so that one that is imported as `file.mjs?2` has modules
// of its own, which know nothing of what `file.mjs?1` has done.

export function resolve(specifier, context, next) {
  const query = context.parentURL ? new URL(context.parentURL).search : '';
  return next(specifier.startsWith('.') ? specifier + query : specifier, context);
}
