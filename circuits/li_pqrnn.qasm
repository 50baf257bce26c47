// li_pqrnn
OPENQASM 3.0;
include "stdgates.inc";
gate rzz(p0) q_0, q_1 {
  cx q_0, q_1;
  rz(p0) q_1;
  cx q_0, q_1;
}
@qrnn.weight
input float[64] theta_0;
@qrnn.weight
input float[64] theta_1;
@qrnn.weight
input float[64] theta_2;
@qrnn.weight
input float[64] theta_3;
@qrnn.weight
input float[64] theta_4;
@qrnn.weight
input float[64] theta_5;
@qrnn.weight
input float[64] theta_6;
@qrnn.weight
input float[64] theta_7;
@qrnn.weight
input float[64] theta_8;
@qrnn.weight
input float[64] theta_9;
@qrnn.weight
input float[64] theta_10;
@qrnn.weight
input float[64] theta_11;
@qrnn.weight
input float[64] theta_12;
@qrnn.weight
input float[64] theta_13;
@qrnn.weight
input float[64] theta_14;
@qrnn.weight
input float[64] theta_15;
@qrnn.weight
input float[64] theta_16;
@qrnn.weight
input float[64] theta_17;
@qrnn.weight
input float[64] theta_18;
@qrnn.weight
input float[64] theta_19;
@qrnn.weight
input float[64] theta_20;
@qrnn.weight
input float[64] theta_21;
@qrnn.weight
input float[64] theta_22;
@qrnn.weight
input float[64] theta_23;
@qrnn.weight
input float[64] theta_24;
@qrnn.weight
input float[64] theta_25;
@qrnn.weight
input float[64] theta_26;
@qrnn.weight
input float[64] theta_27;
@qrnn.weight
input float[64] theta_28;
@qrnn.weight
input float[64] theta_29;
@qrnn.feature arccos
input float[64] signal;
qubit[3] io;
qubit[3] hidden;
bit[1] readout;
ry(signal) io[0];
ry(signal) io[1];
ry(signal) io[2];
rx(theta_0) io[0];
rz(theta_1) io[0];
rx(theta_2) io[0];
rx(theta_3) io[1];
rz(theta_4) io[1];
rx(theta_5) io[1];
rx(theta_6) io[2];
rz(theta_7) io[2];
rx(theta_8) io[2];
rx(theta_9) hidden[0];
rz(theta_10) hidden[0];
rx(theta_11) hidden[0];
rx(theta_12) hidden[1];
rz(theta_13) hidden[1];
rx(theta_14) hidden[1];
rx(theta_15) hidden[2];
rz(theta_16) hidden[2];
rx(theta_17) hidden[2];
rzz(-2*theta_18) io[0], io[1];
rzz(-2*theta_19) io[1], io[2];
rzz(-2*theta_20) io[2], hidden[0];
rzz(-2*theta_21) hidden[0], hidden[1];
rzz(-2*theta_22) hidden[1], hidden[2];
rzz(-2*theta_23) hidden[2], io[0];
rx(theta_24) io[0];
rx(theta_25) io[1];
rx(theta_26) io[2];
rx(theta_27) hidden[0];
rx(theta_28) hidden[1];
rx(theta_29) hidden[2];
readout[0] = measure io[0];
reset io[0];
reset io[1];
reset io[2];
