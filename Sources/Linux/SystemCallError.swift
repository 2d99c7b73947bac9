import Glibc
public import SystemPackage

/// A system call that failed: which one, what it acted on, and why.
public struct SystemCallError: Error, Sendable, CustomStringConvertible {
    /// The call as its man page names it: `openat2`.
    public let call: String
    /// What it acted on, values in quotes: `'etc/shadow' in root fd 7`.
    public let subject: String
    public let errno: Errno

    public init(_ call: String, _ subject: String, _ errno: Errno) {
        self.call = call
        self.subject = subject
        self.errno = errno
    }

    /// `call subject: reason`, in lower case and without a full stop.
    public var description: String {
        subject.isEmpty ? "\(call): \(errno.reason)" : "\(call) \(subject): \(errno.reason)"
    }
}

extension Errno {
    /// The kernel's reason as the C library words it, where that does not mislead.
    public var reason: String { description }
}

/// Calls `body`, again while a signal interrupts it, and throws with its errno when it returns a negative number.
///
/// - Parameters:
///   - call: The system call's name, for the error.
///   - subject: What it acts on, for the error; only evaluated on failure.
@discardableResult
@inline(__always)
public func check(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> CInt
) throws(SystemCallError) -> CInt {
    while true {
        let result = body()
        if result >= 0 { return result }
        let errno = Errno(rawValue: Glibc.errno)  // at once: nothing may run in between
        if errno != .interrupted { throw SystemCallError("\(call)", subject(), errno) }
    }
}
