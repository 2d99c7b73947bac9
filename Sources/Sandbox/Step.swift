import Linux

/// Runs one step of a container's start; a system call that fails in it becomes the failure that the user reads.
///
/// - Parameters:
///   - name: What is being done, as the user would say it.
///   - subject: What it is done to.
@discardableResult
@inline(__always)
func step<Result>(
    _ name: StaticString, _ subject: @autoclosure () -> String, remedy: @autoclosure () -> String? = nil,
    _ body: () throws(SystemCallError) -> Result
) throws(Failure) -> Result {
    do throws(SystemCallError) {
        return try body()
    } catch {
        throw Failure("\(name)", subject(), error, remedy: remedy())
    }
}
