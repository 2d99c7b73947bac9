import Containers
import Linux

extension ReportRequest {
    /// - Throws: For flags that mean nothing without each other.
    func check(_ command: String) throws(Failure) {
        guard (allowedGrowth == nil) == (baseline == nil) else {
            throw Failure(command, "--fail-if-peak-grows", "goes with --baseline FILE, and neither without the other")
        }
    }
}
