import AsyncHTTPClient
import Glibc
public import Linux
import NIOCore
import NIOHTTP1
public import SystemPackage

/// A file from a web server.
public enum Download {
    /// The most bytes that one may have.
    public static let sizeLimit: Int64 = 64 << 30

    /// Gets a file.
    ///
    /// - Parameters:
    ///   - address: Of HTTP or HTTPS; certificates are verified.
    ///   - file: Gets the content, from its beginning, and the time that the server says it was changed.
    /// - Throws: Also for any answer but success.
    public static func run(
        _ address: String, to file: SystemPackage.FileDescriptor, options: RegistryOptions = RegistryOptions()
    ) throws(Failure) {
        guard let web = WebAddress(address) else {
            throw Failure("download", address, "is no address of HTTP")
        }
        let directories = options.certificateDirectories ?? ServerTrust.directories()
        try RegistrySession.run(options) { (session) throws(Failure) in
            do throws(RequestFailure) {
                let trust = ServerTrust(authority: web.authority, isInsecure: false, directories: directories)
                let answer = try await session.transport.exchange(.GET, web, headers: [:], trust: trust)
                guard answer.status == 200 else { throw RequestFailure("the server answers with \(answer.status)") }
                try await write(answer, to: file, session.transport.timeouts)
                setTime(answer.headers.first(name: "Last-Modified"), of: file)
            } catch {
                throw error.failure("download", "\(web)", "")
            }
        }
    }

    private static func write(
        _ answer: Answer, to file: SystemPackage.FileDescriptor, _ timeouts: TransportTimeouts
    ) async throws(RequestFailure) {
        var pace = Pace(timeouts)
        var size: Int64 = 0
        do {
            for try await buffer in answer.body {
                size += Int64(buffer.readableBytes)
                guard size <= sizeLimit else { throw RequestFailure("it has more than \(sizeLimit) bytes") }
                try pace.came(buffer.readableBytes)
                try file.writeFully(Array(buffer.readableBytesView))
            }
        } catch let failure as RequestFailure {
            throw failure
        } catch let error as SystemCallError {
            throw RequestFailure("\(error.call): \(error.errno.reason)")
        } catch {
            throw RequestFailure(error, timeouts: timeouts)
        }
    }

    /// - Parameter text: As HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`; without one the time is 1970's begin.
    private static func setTime(_ text: String?, of file: SystemPackage.FileDescriptor) {
        var fields = tm()
        var seconds: time_t = 0
        if let text, strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &fields) != nil { seconds = timegm(&fields) }
        let time = timespec(tv_sec: seconds, tv_nsec: 0)
        futimens(file.rawValue, [time, time])
    }
}
