/* What host and stub say to each other, inside SLIP frames.
 *
 * The commands up to READ_FLASH, and the layout of requests and replies, are those of
 * https://docs.espressif.com/projects/esptool/en/latest/esp8266/advanced-topics/serial-protocol.html
 * The commands from INFO on are the stub's own.  Their check word is the CRC-32 of the request's first four
 * bytes and of up to 16 bytes of its data, so that a disturbed opcode or address does no harm; behind the
 * status of their replies is the CRC-32 of the reply.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

enum command {
    FLASH_BEGIN = 0x02,
    FLASH_DATA = 0x03,
    FLASH_END = 0x04,
    MEM_BEGIN = 0x05,
    MEM_END = 0x06,
    MEM_DATA = 0x07,
    SYNC = 0x08,
    WRITE_REG = 0x09,
    READ_REG = 0x0A,
    SPI_SET_PARAMS = 0x0B,
    SPI_ATTACH = 0x0D,
    CHANGE_BAUDRATE = 0x0F,
    FLASH_DEFL_BEGIN = 0x10,
    FLASH_DEFL_DATA = 0x11,
    FLASH_DEFL_END = 0x12,
    SPI_FLASH_MD5 = 0x13,
    ERASE_FLASH = 0xD0,
    ERASE_REGION = 0xD1,
    READ_FLASH = 0xD2,

    INFO = 0xE0,
    DIGESTS = 0xE1,
    BLANK = 0xE2,
    ERASE = 0xE3,
    WRITE = 0xE4,
    READ = 0xE5,
    SETUP = 0xE6,
};

/* First byte of the status; the second is 0. */
enum error {
    OK = 0,
    BAD_DATA_LENGTH = 0xC0,
    BAD_CHECKSUM = 0xC1,
    BAD_BLOCK_SIZE = 0xC2, /* also an address or a size that the flash does not have */
    FLASH_FAILED = 0xC4,
    UNLOCK_FAILED = 0xC5,
    NOT_IN_FLASH_MODE = 0xC6,
    INFLATE_FAILED = 0xC7,
    NOT_ENOUGH_DATA = 0xC8,
    TOO_MUCH_DATA = 0xC9,
    NOT_IMPLEMENTED = 0xFF,
};

#define REQUEST_HEADER 8
#define DATA_HEADER 16 /* of FLASH_DATA, FLASH_DEFL_DATA, MEM_DATA and WRITE */
#define STATUS 2 /* bytes at the end of a reply */
#define CHECK 4  /* bytes behind that, where the command is the stub's own */
#define LARGEST_DATA 0x4000
#define CHECKSUM_SEED 0xEF
#define SYNC_REPLIES 8

#define INFO_MAGIC 0x32474D49 /* "IMG2", whose last character is the version */
#define MOST_DIGESTS 256

/* INFO's self-check: what has failed. */
#define CHECK_RAM 1u

/* WRITE's method. */
#define METHOD(word) ((word) & 0xFF)
#define METHOD_PLAIN 0
#define METHOD_DEFLATE 1
#define METHOD_ERASED (1u << 8)
#define METHOD_WHOLE_BLOCK (1u << 9)
#define METHOD_DICTIONARY(word) ((word) >> 16 << 8)
#define LARGEST_DICTIONARY 0x8000

#endif
