import CLinux
import Glibc
public import SystemPackage

/// The size of a terminal's window, in characters.
public struct WindowSize: Sendable, Hashable {
    /// In characters.
    public var rows: UInt16
    /// In characters.
    public var columns: UInt16

    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

/// A new pseudoterminal.
///
/// - Note: pty(7).
public struct Pseudoterminal: Sendable {
    /// The side of whoever runs the program. The holder closes it.
    public let master: FileDescriptor
    /// N in `/dev/pts/N`, in the devpts file system that it was opened in.
    public let number: UInt32

    /// Opens a pseudoterminal and makes its other side ready to be opened.
    ///
    /// - Parameters:
    ///   - directory: Where `ptmx` is: `/dev/pts` of the container, so that the terminal has a name in there,
    ///     or `/dev` of the host.
    ///   - ptmx: The name in `directory`; `ptmx` unless the devpts is mounted elsewhere.
    /// - Throws: `ENOSPC` when the kernel or the mount has no more of them (`/proc/sys/kernel/pty/max`).
    public init(in directory: FileDescriptor = .workingDirectory, ptmx: String = "/dev/ptmx") throws(SystemCallError) {
        let master = try directory.open(ptmx, O_RDWR | O_NOCTTY)
        do throws(SystemCallError) {
            var locked: CInt = 0
            try check("ioctl", "TIOCSPTLCK '\(ptmx)'") { apus_ioctl_ptr(master.rawValue, APUS_TIOCSPTLCK, &locked) }
            var number: CUnsignedInt = 0
            try check("ioctl", "TIOCGPTN '\(ptmx)'") { apus_ioctl_ptr(master.rawValue, APUS_TIOCGPTN, &number) }
            self.number = number
        } catch {
            master.closeQuietly()
            throw error
        }
        self.master = master
    }

    /// Opens the program's side. The caller closes it.
    ///
    /// Asks the master itself: a path below `/dev/pts` would be looked up in a mount namespace that a container
    /// may have changed.
    ///
    /// - Note: ioctl_tty(2), `TIOCGPTPEER`; Linux 4.13.
    public func openPeer() throws(SystemCallError) -> FileDescriptor {
        FileDescriptor(
            rawValue: try check("ioctl", "TIOCGPTPEER") {
                apus_ioctl_int(master.rawValue, APUS_TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
            })
    }
}

/// The settings of a terminal, to put back what `setRaw` changed.
public struct TerminalSettings: Sendable {
    fileprivate var attributes: termios
}

extension FileDescriptor {
    /// Whether this is a terminal.
    public var isTerminal: Bool { isatty(rawValue) == 1 }

    /// The window size of this terminal.
    ///
    /// - Throws: `ENOTTY` for what is no terminal.
    public func windowSize() throws(SystemCallError) -> WindowSize {
        var size = winsize()
        try check("ioctl", "TIOCGWINSZ fd \(rawValue)") { apus_ioctl_ptr(rawValue, UInt(TIOCGWINSZ), &size) }
        return WindowSize(rows: size.ws_row, columns: size.ws_col)
    }

    /// The window size, if this is a terminal.
    public func windowSizeIfTerminal() -> WindowSize? {
        try? windowSize()  // `try?`: what is no terminal has no size
    }

    /// Changes the window size; the programs in the foreground get SIGWINCH if it is a new one.
    public func setWindowSize(_ size: WindowSize) throws(SystemCallError) {
        var size = winsize(ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0)
        try check("ioctl", "TIOCSWINSZ fd \(rawValue)") { apus_ioctl_ptr(rawValue, UInt(TIOCSWINSZ), &size) }
    }

    /// Passes every byte through unchanged from here on: no echo, no lines, no keys that make signals.
    ///
    /// - Returns: The settings before, for `restore`.
    public func setRaw() throws(SystemCallError) -> TerminalSettings {
        var attributes = termios()
        try check("tcgetattr", "fd \(rawValue)") { tcgetattr(rawValue, &attributes) }
        let before = TerminalSettings(attributes: attributes)
        cfmakeraw(&attributes)
        try setAttributes(attributes)
        return before
    }

    /// Puts back settings that `setRaw` gave. A terminal that has hung up keeps none, so nothing is lost.
    public func restore(_ settings: TerminalSettings) {
        // A process in the background that sets attributes is stopped by SIGTTOU, which a caller on its
        // way out could not survive.
        let before = try? SignalSet([.terminalOutput]).block()  // `try?`: without it the call below still works
        try? setAttributes(settings.attributes)  // `try?`: fails on a terminal that is gone, as said above
        _ = try? before?.setAsMask()  // `try?`: sigprocmask fails only for a bad argument, which this is not
    }

    private func setAttributes(_ attributes: termios) throws(SystemCallError) {
        try check("tcsetattr", "fd \(rawValue)") {
            // Drains output first, so that what was written under the old settings is shown under them.
            withUnsafePointer(to: attributes) { tcsetattr(rawValue, TCSADRAIN, $0) }
        }
    }

    /// Makes this terminal the controlling one of this process, which must lead its session and have none.
    ///
    /// - Note: ioctl_tty(2), `TIOCSCTTY`.
    public func becomeControllingTerminal() throws(SystemCallError) {
        try check("ioctl", "TIOCSCTTY fd \(rawValue)") { apus_ioctl_int(rawValue, UInt(TIOCSCTTY), 0) }
    }
}
