/** The server's clock as this page knows it: timers count from instants of the server's, whatever the computer says. */
let offset = 0;

export function learnServerTime(iso: string): void {
  const told = Date.parse(iso);
  if (!Number.isNaN(told)) offset = told - Date.now();
}

export function serverNow(): number {
  return Date.now() + offset;
}
