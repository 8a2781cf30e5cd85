/** A number and what is counted: "1 line", "1,200 lines". */
export const several = (value, what) => `${value.toLocaleString('en')} ${what}${value === 1 ? '' : 's'}`;
