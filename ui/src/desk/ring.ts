/** What tells an agent that a call rings: a sound, the title, and a notification when the page is not looked at. */
let context: AudioContext | null = null;

function chime(): void {
  context ??= new AudioContext();
  void context.resume();
  const begin = context.currentTime;
  for (const [hertz, at] of [
    [660, 0],
    [880, 0.22],
  ] as const) {
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0, begin + at);
    loudness.gain.linearRampToValueAtTime(0.25, begin + at + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, begin + at + 0.4);
    tone.connect(loudness).connect(context.destination);
    tone.start(begin + at);
    tone.stop(begin + at + 0.45);
  }
}

/** Ring until the returned function is called. */
export function ring(text: string): () => void {
  const title = document.title;
  let shown = false;
  const again = (): void => {
    chime();
    shown = !shown;
    document.title = shown ? `☎ ${text}` : title;
  };
  again();
  const timer = setInterval(again, 2000);
  let notification: Notification | null = null;
  if (document.hidden && "Notification" in window && Notification.permission === "granted") {
    notification = new Notification(text, { tag: "hotline", requireInteraction: true });
    notification.onclick = () => window.focus();
  }
  return () => {
    clearInterval(timer);
    notification?.close();
    document.title = title;
  };
}

export function mayNotify(): void {
  if ("Notification" in window && Notification.permission === "default") void Notification.requestPermission();
}
