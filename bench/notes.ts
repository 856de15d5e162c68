/**
 * Reasons for missed numbers and remarks on reading them, by the finding's id. Maintained by hand, printed with every
 * run.
 */
export const NOTES: Record<string, string> = {
  'start-up':
    'On a quiet machine, on PostgreSQL, 1.59×. npm and its two scripts take 130 ms, reading the code 300 ms of one core, of which Playwright takes 200; the browser, whose sandbox is tried before anything is served, is ready 300 ms after it was started. The embedded database takes 450 ms in a thread of its own, beside all that.',
  'idle-memory':
    'Of 117 MB, 96 are those of Node with graphql-yoga, playwright and pg (Playwright alone adds 66), and about 4 the source maps by which stack traces name the lines of the sources.',
  'cdp-round-trip':
    'A client, a relay and a browser are three processes, so each command wakes two more than without the relay. A forwarder that does nothing but hand on messages was at 1.54× where the relay was at 1.86×, on a quiet machine on which waking an idle core takes long; the priority of browsers made 1.06× of it. Of 0.155 ms of processor time that the relay takes for a command, 0.128 ms are the two system calls that write it and its answer, and 0.03 ms is our code. Reading commands with bounded values and long strings as bytes changed none of it: in turns with the code before, 330 and 325 µs beside other work.',
  'latency-p50':
    'Of a line’s way through the server on the embedded database, the commit is the larger part: in turns with the code before, beside other work, a batch of one line took 0.91 instead of 1.01 ms at best, since the messages of a statement are executed together and answered once; 0.3 ms of it is the flush to the disk. The rest is the processor time of the server’s thread, of which a quarter are the two system calls that send the statement and the line.',
  'latency-p99':
    'On the embedded database the slowest lines wait for the disk: a commit is answered once it is flushed (fsync), which takes 0.7 ms, but 50 to 150 ms while a browser starts and writes its profile to the same disk. With the profiles in memory (tmpfs) p99 was 32 ms instead of 101 ms. Starting a process also stops the server’s thread, the longer the more memory the server has: 47 ms at 650 MB, which it has with the embedded database in it. Run alone on a quiet machine the difference was 6.4 ms (baseline 2.9 ms). PostgreSQL is measured with fsync off, as the tests start it.',
  search:
    'Of four hundred lines a run, p99 is the fourth slowest: one pause of the server (a major collection takes 40 to 100 ms) or of the disk decides it, in either half. The embedded database works on one statement at a time, and a step of a search is one.',
  'fairness-states':
    'Browsers run at a lower priority, as processes and as the group that Linux makes of each (sched_autogroup): without the latter each busy browser got as much of two cores as the whole server, whose thread had 0.16 s of 9 s; the slowest /health was 2.8 to 4.2 s. The niceness of processes alone changes nothing there. One that floods is lowered further once it is found out, which takes 0.05 to 0.4 s: until then the other session’s browser shares the processor with it, and p99 is the fourth slowest of four hundred lines. With niceness 5 for all and 19 for those that flood, p99 was 173 ms; with 10 and 19 26 ms; with 14 and 19, in three runs on a quiet machine, 16 to 23 ms, which is 1.4 to 4.4 times.',
  'fairness-fetches':
    'Three runs on a quiet machine: 15, 35 and 24 ms, which is 1.4, 7.8 and 4.0 times; the quiet value itself is between 3 and 14 ms.',
  'fairness-lines':
    'Three runs on a quiet machine: 55, 49 and 61 ms, which is 16.5, 10.4 and 8.8 times. The flood is lines that must be kept, and the embedded database works on one statement at a time: a line of another session waits for a batch or two of a hundred rows.',
  burst:
    'Browser, server and embedded database share two cores, so the figure is what all of them compute: of 1.2 s of processor time the browser takes 0.5, the server’s thread 0.25, the database 0.2. The bare listener disposes every argument, as its definition says; that is most of its time. Audits (entries of the kind Issue) cost lines nothing that could be measured: beside a bare listener, the browser’s threads took 648 ms for a burst with Audits.enable and 641 without.',
  'burst-objects':
    'The bare listener asks the page for each object, one round trip a line, and lets go of none. The server takes the previews that come with the lines; what lies below them is read for the first few alone.',
  har: 'Measured beside other work, in turns with the code before: of the server’s main thread an export takes 131 instead of 228 ms of processor time, of its other threads 105 instead of 182, and 293 instead of 624 ms until it is downloaded, since most requests are written as they are stored. Recording the session beforehand is not part of the figure, but depends on what else runs: browsers of the server have the lowest priority, and what takes 20 s on a quiet machine took seven minutes at a load of 40.',
  replay:
    'The time is that of the server’s one thread. Of 2.3 s: executing the selection of twelve fields for each entry 0.75 s, writing the result as JSON 0.6 s, reading the rows 0.35 s, collecting garbage 0.25 s, ids 0.1 s.',
  'slow-readers-while':
    'The slow questions are those of the first second or two, while 2,000 subscriptions begin and the kernel’s buffers of their sockets are filled: 100 MB of batches that are read, executed and written on the server’s one thread, in turns with the questions. Once the buffers are full nothing is read for them.',
  observation:
    'It differs from run to run: in a run of this one alone, right after a whole run that had 1.20×, it was 0.97× on the embedded database and 1.07× on PostgreSQL. What would account for that was not found.',
  'elsewhere-start':
    'It was 1.51× while a start that waited for another machine subscribed anew before each read: NATS confirms a subscription by a wake-up, so it read its row three to five times before the claim, beside the claim. With simulated browsers, beside other work, a start takes 6 messages to NATS instead of 7.5. What is left of the way is a wake-up before the claim (1.1 to 1.9 ms beside other work), and the reply to the machine that was asked (0.9 to 1.2 ms); the call that waits for RUNNING arrives while the browser starts. It was not measured with browsers on a quiet machine since.',
  'elsewhere-burst':
    'Processor time on two cores that all share: the follower elsewhere reads from PostgreSQL what the one at the machine of the session has in memory. Reading 10,000 lines takes its server 350 ms of processor time the first time, 50 to 60 ms once its code is optimized, and PostgreSQL 20 to 90 ms, the more the smaller the steps are. Here each round is only the next one of seven, so a part of it is code that is not optimized yet; how much is not measured. Each read is two statements, the end of the log and its entries.',
  'elsewhere-round-trip':
    'Each command wakes two more processes than at the machine of the session. In processes that are always busy the hop between machines takes 72 µs there and back (before what a client has taken was reported for many messages at once, 90 µs), and a WebSocket that echoes without any code of ours 46 µs; so of the 0.6 ms that it takes on a quiet machine the most is not computing, presumably the waking of idle cores, as above for the relay. Of processor time the hop takes 46 to 78 µs at one end and 66 to 75 µs at the other; the bare WebSocket 30 to 40 µs.',
  'dashboard-frames':
    'The session’s browser, its server and the browser that shows the dashboard share two cores, so the page’s thread waits for its turn; drawing itself took at most 17 ms of its time. Frames come every 16.7 ms, so 50 ms is three of them. With other work on the machine the longest was up to 200 ms.',
}
