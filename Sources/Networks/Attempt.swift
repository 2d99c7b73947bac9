import Linux

/// Runs one step; a system call that fails in it becomes the failure that the user reads.
@discardableResult
func step<Result>(
    _ name: StaticString, _ subject: @autoclosure () -> String, remedy: String? = nil,
    _ body: () throws(SystemCallError) -> Result
) throws(Failure) -> Result {
    do throws(SystemCallError) {
        return try body()
    } catch {
        throw Failure("\(name)", subject(), error, remedy: remedy)
    }
}
