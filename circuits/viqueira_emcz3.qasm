// viqueira_emcz3
OPENQASM 3.0;
include "stdgates.inc";
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
@qrnn.weight
input float[64] theta_30;
@qrnn.weight
input float[64] theta_31;
@qrnn.weight
input float[64] theta_32;
@qrnn.weight
input float[64] theta_33;
@qrnn.weight
input float[64] theta_34;
@qrnn.weight
input float[64] theta_35;
@qrnn.weight
input float[64] theta_36;
@qrnn.weight
input float[64] theta_37;
@qrnn.weight
input float[64] theta_38;
@qrnn.feature
input float[64] x_0;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(x_0) io[0];
rx(theta_0) io[0];
rz(theta_1) io[0];
rx(theta_2) io[0];
ry(x_0) io[0];
rx(theta_3) io[0];
rz(theta_4) io[0];
rx(theta_5) io[0];
ry(x_0) io[0];
rx(theta_6) io[0];
rz(theta_7) io[0];
rx(theta_8) io[0];
ry(x_0) io[0];
rx(theta_9) io[0];
rz(theta_10) io[0];
rx(theta_11) io[0];
rx(theta_12) hidden[0];
rz(theta_13) hidden[0];
rx(theta_14) hidden[0];
rx(theta_15) hidden[1];
rz(theta_16) hidden[1];
rx(theta_17) hidden[1];
cz io[0], hidden[0];
cz io[0], hidden[1];
rx(theta_18) io[0];
rz(theta_19) io[0];
rx(theta_20) io[0];
rx(theta_21) hidden[0];
rz(theta_22) hidden[0];
rx(theta_23) hidden[0];
rx(theta_24) hidden[1];
rz(theta_25) hidden[1];
rx(theta_26) hidden[1];
cz io[0], hidden[0];
cz io[0], hidden[1];
rx(theta_27) io[0];
rz(theta_28) io[0];
rx(theta_29) io[0];
rx(theta_30) hidden[0];
rz(theta_31) hidden[0];
rx(theta_32) hidden[0];
rx(theta_33) hidden[1];
rz(theta_34) hidden[1];
rx(theta_35) hidden[1];
cz io[0], hidden[0];
cz io[0], hidden[1];
rx(theta_36) io[0];
rz(theta_37) io[0];
rx(theta_38) io[0];
readout[0] = measure io[0];
reset io[0];
