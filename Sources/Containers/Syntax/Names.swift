public import Linux

/// Names of containers and volumes.
public enum Names {
    /// What to do where a name is none.
    public static let remedy =
        "use letters, digits, '_', '.' and '-', two to 200 of them, the first a letter or digit"

    /// Whether `name` can be one.
    ///
    /// - Note: Docker's rule, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, with an end that leaves room in a file name.
    public static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, isAlphanumeric(first), 2...200 ~= name.utf8.count else { return false }
        return name.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        Values.isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// Checks a host name: labels of letters, digits and `-`, 64 bytes at most as the kernel has it.
    public static func checkHostName(_ name: String) throws(Failure) {
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let valid = labels.allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        }
        guard valid, name.utf8.count <= 64 else { throw Values.failure(name, "not a host name") }
    }
}
