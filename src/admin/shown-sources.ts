/** How many refused sources are shown, by the admin API and on the command line: as a rule, and at most. */
export const DEFAULT_SOURCES = 20;
export const MOST_SOURCES = 100;
