import Glibc
import Linux
import Sandbox

extension Errand {
    /// Waits for the end of work that writes to this process' standard output. Where whoever reads that has enough, this
    /// process ends as its child did.
    func finishOutput() throws(Failure) {
        do throws(Failure) {
            try finish()
        } catch  where error.isBrokenPipe {
            raise(SIGPIPE)
        }
    }
}

extension Failure {
    /// Whether a child process ended because nobody read on: then that one's failure is the one to report.
    var isBrokenPipe: Bool { reason == "was killed by signal \(SIGPIPE)" }
}
